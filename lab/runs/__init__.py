"""A run's life: the store, the queue, the workers that train."""
