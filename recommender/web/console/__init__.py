"""The editors' console: pages rendered on the server, every change a plain POST that ends in a redirect."""
