"""Learning from logged slates: what each signal is worth, what shape it has, and a model of interest."""
