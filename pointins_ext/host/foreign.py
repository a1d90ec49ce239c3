"""What pretrainers of the host need that our batches and configs do not tell them by themselves."""


def complete(pretrainer, data_dict: dict) -> dict:
    """The batch with the keys that `pretrainer` looks up though it does not use them.

    Concerto and Utonia ask for the correspondence with the images also when their image branch is off.
    """
    if getattr(pretrainer, "enc2d_loss_weight", None) == 0:
        return {"global_correspondence": None, **data_dict}
    return data_dict
