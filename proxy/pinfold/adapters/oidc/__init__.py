"""Identity tokens of CI services (OpenID Connect)."""
