// Package normalization folds batch normalizations into the layers before them, and adds new ones behind frozen blocks.
package normalization
