"""Who may ask the studio for what: names of the host, sessions, forged requests, sizes."""
