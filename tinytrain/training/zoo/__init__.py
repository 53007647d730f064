"""The zoo: networks that fit a microcontroller, a file each, built anew in the size asked for."""
