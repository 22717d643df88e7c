"""The command line, cnnpredict."""
