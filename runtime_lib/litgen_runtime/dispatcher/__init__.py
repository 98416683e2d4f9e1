"""The one owner of queues and deadlines: what waits, who runs it, and when to give up."""
