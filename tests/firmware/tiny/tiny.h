/* A model of three operators, written by hand to test the application and the ports. */
#ifndef TINY_H
#define TINY_H

#include "tinytrain/model.h"

extern const tt_model tiny_model;

#endif
