"""Pictures: decoded in a child process with limits, prepared for the model, rendered."""
