"""What Vela says of networks, and the cost model beside it."""
