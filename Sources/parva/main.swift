print("parva")
