"""The latent explorer: a page with sliders and a map of the latents, served from Python or as static files."""
