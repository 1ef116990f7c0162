"""The queue: contouring of many CT series without anybody watching."""
