"""Readers, one module a format in, and writers, one package a format out."""
