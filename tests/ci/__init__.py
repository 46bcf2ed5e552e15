"""CI, as it is copied from examples/ci: the workflows linted, and their steps run as runners run them."""
