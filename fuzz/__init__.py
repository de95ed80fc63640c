"""Coverage-guided fuzzing of the decoders and the Reader (`make fuzz`)."""
