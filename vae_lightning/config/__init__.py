"""Configuration: schema, validation, overrides and error messages. Nothing here imports torch."""
