"""``myservice bench``: what a service does under load, for its owner. Nothing else imports this."""
