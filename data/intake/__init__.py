"""How articles come in: feeds, JSON Feeds, sitemaps and article JSONL, from files and addresses."""
