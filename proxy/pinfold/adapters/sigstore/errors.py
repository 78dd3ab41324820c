"""How a judgement ends early; neither error leaves the adapter."""


class Refused(Exception):
    """The attestation is shown to be wrong."""


class Undecided(Exception):
    """The attestation cannot be judged here, which does not make it wrong."""
