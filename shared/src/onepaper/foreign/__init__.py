"""Files of other people: arrays in pickles, npy and npz, settings of networks, and the folders of public data sets."""
