"""Long work: accepted durably, run behind synchronous requests, polled or called back."""
