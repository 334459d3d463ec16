"""What a saved notebook shows of its widgets where no kernel runs."""
