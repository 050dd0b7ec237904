"""The synthetic world: people with known answers, drawn by a differentiable renderer."""
