"""Uploads drawn at random: whatever comes, no answer is a failure of the server's."""

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.e2e.http.publishing.hostile.archives import GOOD, METADATA, SDIST, WHEEL, with_recorded_metadata
from tests.e2e.in_process import Answer, in_process
from tests.e2e.publisher import Publisher
from tests.fakes.uploads import BOUNDARY, body_of, fields_of
from tests.fakes.upstream import build_sdist

END = f"--{BOUNDARY}--\r\n".encode()


texts = st.text(max_size=40)
names = st.sampled_from(["name", "version", ":action", "content", "filetype", "attestations", "requires_python", "x"])


def run_fuzz(tmp_path, examples):
    """Send bodies to one Pinfold in one loop, and insist on an answer that is no failure of the server's."""

    async def run():
        async with in_process(
            tmp_path / "data", {"feeds.osv.source": "", "publishing.idle_timeout": "1s", "indexes.main.private": "*"}
        ) as pinfold:
            publisher = await Publisher.of(pinfold)

            async def send(body: bytes, **headers: str) -> Answer:
                answer = await publisher.send(body, **headers)
                assert 200 <= answer.status < 500, (answer, body)
                return answer

            await examples(send)

    asyncio.run(run())


def drawn(strategy, count):
    """Return examples of a strategy, as hypothesis draws them."""
    found = []

    @settings(max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def draw(example):
        found.append(example)

    draw()
    return found


part_lines = st.one_of(
    st.builds(
        lambda name, filename: f'Content-Disposition: form-data; name="{name}"; filename="{filename}"'.encode(
            "utf-8", "surrogatepass"
        ),
        names | texts,
        texts | st.sampled_from([WHEEL, SDIST]),
    ),
    st.builds(lambda name: f'Content-Disposition: form-data; name="{name}"'.encode(), names),
    st.binary(max_size=40),
    st.sampled_from([b"Content-Type: multipart/mixed; boundary=x", b"Content-Length: 99999", b"Content-Length: -1"]),
)
forms = st.lists(
    st.tuples(
        st.lists(part_lines, max_size=3), st.binary(max_size=60) | texts.map(lambda t: t.encode("utf-8", "replace"))
    ),
    max_size=6,
).map(
    lambda parts: (
        b"".join(b"--b0undary\r\n" + b"\r\n".join(lines) + b"\r\n\r\n" + content + b"\r\n" for lines, content in parts)
        + END
    )
)


def test_no_bytes_for_a_form_are_a_failure_of_the_server(tmp_path):
    async def examples(send):
        for body in drawn(
            forms | st.binary(max_size=300) | st.binary(max_size=100).map(lambda b: b"--b0undary\r\n" + b), 150
        ):
            await send(body)

    run_fuzz(tmp_path, examples)


def test_no_field_and_no_file_name_is_a_failure_of_the_server(tmp_path):
    some = st.fixed_dictionaries({}, optional=dict.fromkeys(fields_of(WHEEL, GOOD), texts))

    async def examples(send):
        for changes, filename in drawn(st.tuples(some, st.sampled_from([WHEEL, SDIST]) | texts), 120):
            fields = {name: text.encode("utf-8", "replace").decode() for name, text in changes.items()}
            name = filename.encode("utf-8", "replace").decode()
            await send(body_of({**fields_of(WHEEL, GOOD), **fields}, name, GOOD))

    run_fuzz(tmp_path, examples)


def test_no_damage_to_an_archive_is_a_failure_of_the_server(tmp_path):
    sdist = build_sdist("acme-tool", "1.0")
    damage = st.tuples(st.booleans(), st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=8))

    async def examples(send):
        for is_wheel, at, noise in drawn(damage, 60):
            filename, content = (WHEEL, GOOD) if is_wheel else (SDIST, sdist)
            damaged = content[:at] + noise + content[at + len(noise) :]
            await send(body_of(fields_of(filename, damaged), filename, damaged))

    run_fuzz(tmp_path, examples)


def test_no_metadata_is_a_failure_of_the_server(tmp_path):
    line = st.tuples(
        st.sampled_from(["Name", "Version", "Requires-Dist", "Requires-Python", "Metadata-Version", "Summary", "X"]),
        texts,
    ).map(lambda pair: f"{pair[0]}: {pair[1]}".encode("utf-8", "replace"))
    metadata = st.lists(line | st.binary(max_size=30), max_size=8).map(b"\n".join) | st.lists(line, max_size=3).map(
        lambda lines: METADATA + b"\n".join(lines)
    )

    async def examples(send):
        for text in drawn(metadata, 60):
            wheel = with_recorded_metadata(text)
            await send(body_of(fields_of(WHEEL, wheel), WHEEL, wheel))

    run_fuzz(tmp_path, examples)
