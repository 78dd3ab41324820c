"""Index pages: parsing, rendering and content negotiation, all pure."""
