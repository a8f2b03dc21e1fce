"""The vectors that come with the program; where they are from and their licence: README.md."""
