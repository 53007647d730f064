"""Front ends: from samples to the model's input. The rules stand in firmware/FRONTEND.md."""
