"""The class game: what do you read?"""
