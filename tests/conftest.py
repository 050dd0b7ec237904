"""For the whole suite."""

import torch

# Tests run in parallel, on small tensors: a second thread would mostly wait for the first.
torch.set_num_threads(1)
