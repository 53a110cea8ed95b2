"""The faces over HTTP: the API of version 1 and the reader's page."""
