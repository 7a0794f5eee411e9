"""Laws of other fields: modalities, translation, reinforcement learning."""
