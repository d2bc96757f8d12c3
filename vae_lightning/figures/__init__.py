"""The figures of a run: what each one shows of a model."""
