"""Model packs that are shipped."""
