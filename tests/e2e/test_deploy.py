"""What `deploy/` offers, checked by the programs that it is written for."""

import random
import re
import ssl
import subprocess
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.e2e.clients import OldestPip, Pip
from tests.e2e.conftest import REASON
from tests.e2e.debian import program
from tests.e2e.nginx import free_port, nginx
from tests.e2e.server import PinfoldServer
from tests.fakes.uploads import CONTENT_TYPE, body_of, fields_of
from tests.fakes.upstream import build_wheel

DEPLOY = Path(__file__).parents[2] / "deploy"


def certificate(folder):
    """Write a certificate for localhost, and its key; both are thrown away with the folder."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, private = folder / "fullchain.pem", folder / "privkey.pem"
    chain.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return chain, private


@pytest.fixture
def behind(upstream, tmp_path):
    config = f"""
[server]
trusted_proxies = ["127.0.0.1"]
[upstreams.pypi]
url = "{upstream.url}"
freshness = "0s"
[indexes.main]
anonymous = true
[indexes.closed]
anonymous = false
"""
    with PinfoldServer(tmp_path / "pinfold", config) as server:
        yield server


@pytest.fixture
def front(behind, tmp_path):
    """nginx with the configuration that is shipped, but for ports, name and certificate."""
    folder = tmp_path / "nginx"
    folder.mkdir()
    chain, private = certificate(folder)
    port = free_port()
    shipped = (DEPLOY / "nginx" / "pinfold.conf").read_text()
    for said, here in {
        "127.0.0.1:8765": behind.url.removeprefix("http://"),
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "packages.example": "localhost",
        "/etc/pinfold/tls/fullchain.pem": str(chain),
        "/etc/pinfold/tls/privkey.pem": str(private),
    }.items():
        assert said in shipped
        shipped = shipped.replace(said, here)
    with nginx(folder, port, shipped):
        yield f"https://localhost:{port}", chain


def addresses(server):
    return {entry["actor"]["address"] for entry in server.audited() if entry["action"].startswith("file.")}


def test_pip_installs_and_reads_refusals_through_the_tls_front(front, behind, incident, tmp_path):
    url, chain = front
    for pip in (OldestPip, Pip):
        client = pip(tmp_path / pip.name)
        options = ["--cert", str(chain)]
        assert client.install(f"{url}/simple/", *options, "litellm").installed == {"litellm": "1.82.6"}
        refused = client.install(f"{url}/simple/", *options, "litellm==1.82.8")
        assert REASON.search(" ".join(refused.output.split())), str(refused)
    assert addresses(behind) == {"127.0.0.1"}


def test_what_a_client_claims_of_its_address_does_not_pass_the_front(front, behind, incident):
    url, chain = front
    file = incident["1.82.6"]
    request = urllib.request.Request(f"{url}/files/litellm/{file.sha256}/{file.filename}")
    request.add_header("X-Forwarded-For", "203.0.113.99")
    context = ssl.create_default_context(cafile=str(chain))
    with urllib.request.urlopen(request, context=context) as response:
        assert response.read() == file.content
    assert addresses(behind) == {"127.0.0.1"}
    with pytest.raises(urllib.error.HTTPError, match="404") as hidden:
        urllib.request.urlopen(f"{url}/metrics", context=context)
    hidden.value.close()


def test_a_package_larger_than_a_form_is_published_through_the_front(front, behind):
    url, chain = front
    token = behind.run("token", "create", "ci", "--role", "publisher").strip()
    noise = {"acme_tool/noise.py": b"noise = %r\n" % random.Random(1).randbytes(1_000_000)}
    filename, wheel = "acme_tool-1.0-py3-none-any.whl", build_wheel("acme-tool", "1.0", files=noise)
    assert len(wheel) > 2_000_000
    for path in ("/legacy/", "/main/legacy/"):
        request = urllib.request.Request(f"{url}{path}", body_of(fields_of(filename, wheel), filename, wheel))
        request.add_header("Content-Type", CONTENT_TYPE)
        request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=str(chain))) as response:
            assert response.status == 200
    (entry,) = behind.audited("--action", "file.published")
    assert entry["actor"]["address"] == "127.0.0.1"


def test_the_unit_is_one_that_systemd_accepts_and_calls_safe(tmp_path):
    analyze = program("systemd-analyze", "systemd")
    unit = tmp_path / "pinfold.service"
    text = (DEPLOY / "systemd" / "pinfold.service").read_text()
    # systemd insists that the program exists, which it does only where Pinfold is installed.
    unit.write_text(text.replace("/opt/pinfold/bin/pinfold", "/bin/true"))
    verified = subprocess.run([analyze, "verify", "--man=no", str(unit)], capture_output=True, text=True)
    assert (verified.returncode, verified.stderr) == (0, "")
    command = [analyze, "security", "--offline=true", "--threshold=20", str(unit)]
    judged = subprocess.run(command, capture_output=True, text=True)
    assert judged.returncode == 0, judged.stdout


def test_the_image_is_built_from_what_is_there_and_runs_without_rights():
    lines = re.sub(r"\\\n", " ", (DEPLOY / "docker" / "Dockerfile").read_text()).splitlines()
    instructions = [line for line in lines if line and not line.startswith("#")]
    root = DEPLOY.parent
    for line in instructions:
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (root / source).exists(), f"{line}: there is no {source}"
    assert "USER 10001:10001" in instructions
    assert any(line.startswith("HEALTHCHECK") and "/readyz" in line for line in instructions)
    assert any("--require-hashes" in line for line in instructions)
