"""What a person looks at to judge a dataset: figures of its rows, and one page that shows them."""
