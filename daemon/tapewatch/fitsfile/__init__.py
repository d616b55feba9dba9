"""FITS files on disk: structure, strips of pixels, and products that appear whole or not at all."""
