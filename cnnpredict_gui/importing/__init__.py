"""Native model files of others -> artefacts: a file is read in a child process, distrusted, converted and checked."""
