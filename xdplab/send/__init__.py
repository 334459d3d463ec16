"""Making frames: generators and replays of captures."""
