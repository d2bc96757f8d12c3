"""Types shared by all packages."""

Shape = tuple[int, int, int]  # channels, height, width
