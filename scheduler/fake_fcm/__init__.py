"""A faithful loopback FCM: the v1 send call, topics, OAuth, quotas, faults, and what each phone would show."""
