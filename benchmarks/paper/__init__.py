"""`make paper`: every row of "Weight, Block or Unit?" (Stamenovic et al. 2021) on open data, and the page they make."""
