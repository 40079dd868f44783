"""Where documents live: one protocol, one folder per implementation, chosen by a URL."""
