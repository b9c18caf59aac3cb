"""What a policy sees: messages of streams to rows of one moment each, and the past that they make."""
