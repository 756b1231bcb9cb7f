"""Networks: encoder, decoder, the autoencoder of both, and an encoder without training."""
