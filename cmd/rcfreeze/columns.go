package main

import "slices"

// columnOf is a column of a table with a row for each T. The column is there if it says something of some row.
type columnOf[T any] struct {
	header any
	says   func(T) bool // nil for all rows
	cell   func(T) any
}

// tableOf returns the header and the rows of a table of a list that is not empty.
func tableOf[T any](columns []columnOf[T], list []T) (header tableRow, rows []tableRow) {
	rows = make([]tableRow, len(list))
	for _, column := range columns {
		if column.says != nil && !slices.ContainsFunc(list, column.says) {
			continue
		}
		header = append(header, column.header)
		for i, v := range list {
			rows[i] = append(rows[i], column.cell(v))
		}
	}
	return header, rows
}
