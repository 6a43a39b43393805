"""Attestations that an identity signed with Sigstore."""
