// Package head finds the output of a classifier that scores its classes, and replaces its last layer by one for other classes.
package head
