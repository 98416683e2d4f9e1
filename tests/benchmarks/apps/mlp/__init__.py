"""mlp: a real network on one thread. What is left is what the server takes from the model's processor time."""
