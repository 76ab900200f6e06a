"""What is known of each data set without reading it: the rows of `bench.data.DATASETS`. No module here imports a reader."""
