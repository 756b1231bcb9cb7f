"""Files of other people: arrays in pickles, npy and npz, and the folders of public data sets."""
